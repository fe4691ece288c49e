/// A forked child that runs a function, for tests of what one process sees of another.
///
/// The parent must have no threads of its own when it forks.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>

namespace starling {

class ChildProcess {
 public:
  /// What the child has of its parent: a line to it, and one from it.
  class Line {
   public:
    Line(int in, int out) : in_(in), out_(out) {}
    /// Sends one line (without its end).
    void Say(const std::string& text);
    /// The next line; empty when the other side has ended.
    std::string Hear();

   private:
    int in_;
    int out_;
  };

  /// The child runs `body` and ends.
  explicit ChildProcess(const std::function<void(Line& parent)>& body);
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  /// Kills the child where it still runs.
  ~ChildProcess();

  void Say(const std::string& text) { line_.Say(text); }
  std::string Hear() { return line_.Hear(); }
  /// kill -9, and waits for the end.
  void Kill();
  /// Waits for the end; the exit status, or -1 where a signal ended it.
  int Wait();
  pid_t pid() const { return pid_; }

 private:
  Line line_{-1, -1};
  int descriptors_[2] = {-1, -1};
  pid_t pid_ = -1;
};

}  // namespace starling
