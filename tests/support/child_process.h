/// Another process, for tests of what one sees of another, with a line of text in either direction.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

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

  /// A forked child that runs `body` and ends. Threads are not forked: `body` must use nothing that
  /// has had any in this process.
  explicit ChildProcess(const std::function<void(Line& parent)>& body);
  /// This process's executable, started again; its standard input and output are the lines.
  explicit ChildProcess(const std::vector<std::string>& arguments);
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  /// Kills the child where it still runs.
  ~ChildProcess();

  void Say(const std::string& text) { line_.Say(text); }
  /// Ends the line to the child: it hears that nothing more comes.
  void Hush();
  std::string Hear() { return line_.Hear(); }
  /// kill -9, and waits for the end.
  void Kill();
  /// Waits for the end; the exit status, or -1 where a signal ended it.
  int Wait();
  pid_t pid() const { return pid_; }

 private:
  /// Forks with pipes between; true in the child, whose ends are `in` and `out`.
  bool Fork(int& in, int& out);

  Line line_{-1, -1};
  int descriptors_[2] = {-1, -1};
  pid_t pid_ = -1;
};

}  // namespace starling
