#include "tests/support/child_process.h"

#include <fcntl.h>
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

bool ChildProcess::Fork(int& in, int& out) {
  int down[2];
  int up[2];
  STARLING_CHECK(pipe2(down, O_CLOEXEC) == 0 && pipe2(up, O_CLOEXEC) == 0);
  pid_ = fork();
  STARLING_CHECK(pid_ >= 0);
  if (pid_ == 0) {
    close(down[1]);
    close(up[0]);
    in = down[0];
    out = up[1];
    return true;
  }
  close(down[0]);
  close(up[1]);
  descriptors_[0] = up[0];
  descriptors_[1] = down[1];
  line_ = Line(up[0], down[1]);
  return false;
}

ChildProcess::ChildProcess(const std::function<void(Line&)>& body) {
  int in = -1;
  int out = -1;
  if (!Fork(in, out)) return;
  Line parent(in, out);
  body(parent);
  _exit(0);
}

ChildProcess::ChildProcess(const std::vector<std::string>& arguments) {
  std::vector<std::string> words = {"/proc/self/exe"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  int in = -1;
  int out = -1;
  // Only calls that are safe after a fork beside other threads.
  if (!Fork(in, out)) return;
  dup2(in, STDIN_FILENO);
  dup2(out, STDOUT_FILENO);
  execv(pointers[0], pointers.data());
  _exit(127);
}

ChildProcess::~ChildProcess() {
  Kill();
  for (const int descriptor : descriptors_) {
    if (descriptor >= 0) close(descriptor);
  }
}

void ChildProcess::Hush() {
  close(descriptors_[1]);
  descriptors_[1] = -1;
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
