// Runs the real program, as a user does: its output, its errors, its exit code, and whether anything of it is left.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace lockstep::test {

/// A folder of its own, removed with everything in it.
class Folder {
 public:
  Folder();
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  void write(const std::string& name, const std::string& text) const;
  [[nodiscard]] std::string read(const std::string& name) const;
  [[nodiscard]] std::vector<std::string> names() const;  ///< of what it holds, sorted

 private:
  std::string path_;
};

struct Outcome {
  std::string output, errors;
  int code = 0;              ///< exit code; 128 + signal if a signal ended it
  bool timed_out = false;    ///< it hung, and was killed
  bool left_behind = false;  ///< a process that it started lives on
  std::chrono::milliseconds time{0};
};

struct Surroundings {
  std::string folder;                              ///< where it runs; empty: here
  std::map<std::string, std::string> environment;  ///< set beside the test's own; launchers' variables are removed
};

/// A program that runs. Destroyed: killed, if it still does.
class Process {
 public:
  Process(const std::vector<std::string>& arguments, const Surroundings& surroundings);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  [[nodiscard]] int id() const { return id_; }
  void send(int signal) const;
  /// CPU time so far, of this process alone.
  [[nodiscard]] double cpu_s() const { return cpu_s(id_); }
  [[nodiscard]] static double cpu_s(int id);
  [[nodiscard]] std::vector<int> children() const;
  Outcome wait(std::chrono::milliseconds limit = std::chrono::seconds(60));

 private:
  int id_ = -1;
  bool ended_ = false;
  int output_ = -1, errors_ = -1;
  int witness_ = -1;  ///< a pipe whose other end every descendant holds: its end of file says that all are gone
  std::chrono::steady_clock::time_point started_;
};

/// Process numbers, ascending.
std::vector<int> children_of(int id);

/// The program under test, and these arguments.
std::vector<std::string> command(const std::vector<std::string>& arguments);
/// The program under test with these arguments, to its end.
Outcome lockstep(const std::vector<std::string>& arguments, const Surroundings& surroundings = {},
                 std::chrono::milliseconds limit = std::chrono::seconds(60));
/// The same from a line of words, split at blanks; 'a b' is one word.
Outcome lockstep_line(const std::string& line, const Surroundings& surroundings = {},
                      std::chrono::milliseconds limit = std::chrono::seconds(60));
std::vector<std::string> words(const std::string& line);

/// The commands that `lockstep --help` lists.
std::vector<std::string> command_names();
/// The command line that the help of a command shows, without the name of the program; empty if it shows none.
std::string example_of(const std::string& help);

/// A port of 127.0.0.1 that is in use.
class Listener {
 public:
  Listener();
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  [[nodiscard]] int port() const { return port_; }

 private:
  int socket_;
  int port_ = 0;
};

/// A port of 127.0.0.1 that nobody listens on.
int free_port();

void pause_a_little();

/// True as soon as the condition holds; false if it does not within the limit.
template <class Condition>
bool eventually(Condition condition, std::chrono::milliseconds limit = std::chrono::seconds(20)) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    pause_a_little();
  }
  return true;
}

}  // namespace lockstep::test
