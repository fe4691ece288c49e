#include "storage/damage_record.h"

#include <unistd.h>

#include <cerrno>
#include <sstream>

#include "storage/posix_file.h"

namespace starling {
namespace {

constexpr const char* kFileName = "damage";
/// A folder that is damaged anew at every start keeps the latest reports only.
constexpr size_t kMaxReports = 100;

std::string PathIn(const std::string& folder) { return folder + "/" + kFileName; }

}  // namespace

Status RememberDamage(const std::string& folder, const std::vector<Engine::Damage>& damage) {
  Result<std::vector<Engine::Damage>> all = RememberedDamage(folder);
  if (!all) return all.error();
  all->insert(all->end(), damage.begin(), damage.end());
  const size_t first = all->size() > kMaxReports ? all->size() - kMaxReports : 0;
  std::ostringstream text;
  // One line each; the path goes last, it may hold anything but a line break.
  for (size_t i = first; i < all->size(); ++i) {
    const Engine::Damage& entry = (*all)[i];
    text << entry.position << '\t' << entry.dropped << '\t' << entry.reason << '\t' << entry.file
         << '\n';
  }
  return WriteFileDurably(folder, kFileName, text.str());
}

Result<std::vector<Engine::Damage>> RememberedDamage(const std::string& folder) {
  const Result<std::string> text = ReadSmallFile(PathIn(folder));
  if (!text && text.error().code == Code::kNotFound) return std::vector<Engine::Damage>();
  if (!text) return text.error();
  std::vector<Engine::Damage> damage;
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    Engine::Damage entry;
    fields >> entry.position >> entry.dropped;
    fields.ignore();
    std::getline(fields, entry.reason, '\t');
    std::getline(fields, entry.file);
    // Whatever was here, something was cut: that counts even where the report itself is unreadable.
    if (fields.fail()) entry = {PathIn(folder), 0, 0, "an earlier cut whose report is unreadable"};
    damage.push_back(std::move(entry));
  }
  return damage;
}

Status ForgetDamage(const std::string& folder) {
  if (::unlink(PathIn(folder).c_str()) != 0 && errno != ENOENT) {
    return FileError("remove", PathIn(folder), errno);
  }
  return SyncFolder(folder);
}

}  // namespace starling
