// The same request asked once at a time: who comes while it is out waits for its answer, each by a
// deadline of their own. Thread-safe.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace belay::webhook::registry {

template <class Answer>
class SingleFlight {
 public:
  using Clock = std::chrono::steady_clock;

  /// \param ask  called without any lock; an exception of its own goes on, and whoever waited asks
  /// \param again  whether an answer that somebody else got is worth asking anew (their time was
  ///     up, ours is not)
  /// \param joined  told once when somebody else's answer is waited for
  /// \return nothing where the deadline passed while somebody else asked
  template <class Ask, class Again, class Joined>
  std::optional<Answer> run(const std::string& key, Clock::time_point deadline, const Ask& ask,
                            const Again& again, const Joined& joined) {
    bool told = false;
    while (true) {
      std::shared_ptr<Flight> flight;
      bool own = false;
      {
        const std::lock_guard lock(mutex_);
        auto& entry = flights_[key];
        own = entry == nullptr;
        if (own) entry = std::make_shared<Flight>();
        flight = entry;
      }
      if (own) {
        Landing landing(*this, key, *flight);
        landing.answer = ask();
        return landing.answer;
      }
      if (!std::exchange(told, true)) joined();
      std::unique_lock lock(flight->mutex);
      if (!flight->landed.wait_until(lock, deadline, [&] { return flight->over; })) {
        return std::nullopt;
      }
      const bool lost = !flight->answer || again(*flight->answer);
      if (!lost || Clock::now() >= deadline) return flight->answer;
    }
  }

 private:
  struct Flight {
    std::mutex mutex;
    std::condition_variable landed;
    std::optional<Answer> answer;  ///< guarded by mutex, as what follows
    bool over = false;
  };

  /// Ends a flight however asking ended: with an answer, or without where it threw.
  struct Landing {
    Landing(SingleFlight& all, const std::string& key, Flight& flight)
        : all_(all), key_(key), flight_(flight) {}
    ~Landing() {
      {
        const std::lock_guard lock(all_.mutex_);
        all_.flights_.erase(key_);
      }
      {
        const std::lock_guard lock(flight_.mutex);
        flight_.answer = answer;
        flight_.over = true;
      }
      flight_.landed.notify_all();
    }
    Landing(const Landing&) = delete;
    Landing& operator=(const Landing&) = delete;

    std::optional<Answer> answer;

   private:
    SingleFlight& all_;
    const std::string& key_;
    Flight& flight_;
  };

  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Flight>> flights_;  ///< guarded by mutex_
};

}  // namespace belay::webhook::registry
