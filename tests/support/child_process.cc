#include "tests/support/child_process.h"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "storage/check.h"

namespace starling {

void ChildProcess::Line::Say(const std::string& text) {
  const std::string line = text + "\n";
  STARLING_CHECK(write(out_, line.data(), line.size()) == static_cast<ssize_t>(line.size()));
}

std::string ChildProcess::Line::Hear() {
  std::string line;
  char c = 0;
  while (read(in_, &c, 1) == 1 && c != '\n') line += c;
  return line;
}

ChildProcess::ChildProcess(const std::function<void(Line&)>& body) {
  int down[2];
  int up[2];
  STARLING_CHECK(pipe(down) == 0 && pipe(up) == 0);
  pid_ = fork();
  STARLING_CHECK(pid_ >= 0);
  if (pid_ == 0) {
    close(down[1]);
    close(up[0]);
    Line parent(down[0], up[1]);
    body(parent);
    _exit(0);
  }
  close(down[0]);
  close(up[1]);
  descriptors_[0] = up[0];
  descriptors_[1] = down[1];
  line_ = Line(up[0], down[1]);
}

ChildProcess::~ChildProcess() {
  Kill();
  for (const int descriptor : descriptors_) close(descriptor);
}

void ChildProcess::Kill() {
  if (pid_ < 0) return;
  kill(pid_, SIGKILL);
  Wait();
}

int ChildProcess::Wait() {
  if (pid_ < 0) return -1;
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace starling
