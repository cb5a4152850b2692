// A request whose response has to wait for something outside the reactor: the connection is parked,
// and the reactor asks for the response once another thread has said ready(), or at a deadline.
//
//   handle():  response.pending = std::make_shared<Mine>(deadline, ...);  // reactor
//   worker:    pending->found = ...; pending->ready();                    // any thread
//   reactor:   pending->respond(Resumed::kReady, response);
//
// While it is parked nothing is read from the connection, so what was pipelined behind waits too.
// A parked request has begun: draining and stopping wait for it. If the peer goes away meanwhile,
// nobody asks for the response; ready() does no harm then, nor after the server's end.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace belay::webhook::http {

class Connection;
struct Response;
class ReadyQueue;

/// Why a parked request is looked at again.
enum class Resumed : std::uint8_t {
  kReady,     ///< ready() was called
  kDeadline,  ///< it was not in time (or the server must end now): respond without what is missing
};

class PendingResponse : public std::enable_shared_from_this<PendingResponse> {
 public:
  /// \param deadline  no later than ServerOptions::request_timeout from now, else that counts
  /// \param bytes  that it holds, counted as in flight while it waits
  PendingResponse(std::chrono::steady_clock::time_point deadline, std::size_t bytes)
      : deadline_(deadline), bytes_(bytes) {}
  virtual ~PendingResponse() = default;  ///< on any thread
  PendingResponse(const PendingResponse&) = delete;
  PendingResponse& operator=(const PendingResponse&) = delete;

  /// Fills `response`, or sets its `pending` once more. Called on the reactor's thread, once at
  /// most; must not block. In kDeadline a worker may still be at it: look at nothing that it
  /// writes.
  virtual void respond(Resumed why, Response& response) = 0;

  /// The response can be given. What this thread wrote before is seen by respond(). Thread-safe;
  /// only the first call counts; may come before handle() has returned.
  void ready();

  std::chrono::steady_clock::time_point deadline() const { return deadline_; }
  std::size_t bytes() const { return bytes_; }

 private:
  friend class WaitingRequests;
  /// The reactor's side: from here on ready() tells `queue`, at once if it was called already.
  void park(Connection& connection, const std::shared_ptr<ReadyQueue>& queue);

  const std::chrono::steady_clock::time_point deadline_;
  const std::size_t bytes_;
  Connection* connection_ = nullptr;  ///< the reactor's thread only; nullptr where nobody waits

  std::mutex mutex_;
  bool ready_ = false;                 ///< guarded by mutex_
  std::shared_ptr<ReadyQueue> queue_;  ///< guarded by mutex_
};

/// Where other threads wake a reactor, and what they have for it. Lives as long as a response that
/// may still become ready. Thread-safe.
class ReadyQueue {
 public:
  ReadyQueue();  ///< fd() is -1 where the system has no descriptor to give
  ~ReadyQueue();
  ReadyQueue(const ReadyQueue&) = delete;
  ReadyQueue& operator=(const ReadyQueue&) = delete;

  int fd() const { return fd_; }  ///< an eventfd for epoll
  void wake();
  void push(std::shared_ptr<PendingResponse> response);
  /// Moves what is there into `into`, which must be empty.
  void take(std::vector<std::shared_ptr<PendingResponse>>& into);
  /// From now on push() drops what it gets.
  void close();

 private:
  const int fd_;
  std::mutex mutex_;
  std::vector<std::shared_ptr<PendingResponse>> responses_;  ///< guarded by mutex_
  bool closed_ = false;                                      ///< guarded by mutex_
};

}  // namespace belay::webhook::http
