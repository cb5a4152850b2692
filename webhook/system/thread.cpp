// A thread of our own: signal mask and name.
#include "webhook/system/thread.h"

#include <pthread.h>
#include <signal.h>

#include <utility>

namespace belay::webhook {
namespace {

constexpr std::size_t kMaxName = 15;  // pthread_setname_np refuses longer ones

}  // namespace

std::jthread start_thread(const std::string& name,
                          std::function<void(const std::stop_token&)> body) {
  // The mask is inherited: set before the start, no signal finds the new thread without it. Faults
  // stay: they belong to the thread that makes them.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) sigdelset(&all, fault);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::jthread thread(std::move(body));
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_setname_np(thread.native_handle(), name.substr(0, kMaxName).c_str());
  return thread;
}

}  // namespace belay::webhook
