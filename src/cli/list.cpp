// noren list: what is published, newest first.
#include <algorithm>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "cli/session.h"

namespace noren::cli {

namespace json = boost::json;

namespace {

/// What a schedule will do next with an API; empty for one that has none.
std::string next_of(const json::object& api) {
  const std::string start = text_of(api, "next_start"), stop = text_of(api, "next_stop");
  if (start.empty() && stop.empty()) return {};
  const bool stops_first = start.empty() || (!stop.empty() && stop < start);
  return stops_first ? "stops " + stop : "starts " + start;
}

/// A running API's instances are counted where some are missing.
std::string state_of(const json::object& api) {
  std::string state = text_of(api, "state");
  const std::int64_t wanted_count = number_of(api, "instances"),
                     ready_count = number_of(api, "ready_instances");
  if (state != "running" || ready_count >= wanted_count) return state;
  return fmt::format("{} ({} of {})", state, ready_count, wanted_count);
}

}  // namespace

Status list(const Hooks& hooks, const Common& common, const ListOptions& options) {
  ASSIGN_OR_RETURN(const Session session, Session::find(hooks, common.where));
  ASSIGN_OR_RETURN(json::array all, session.list("apis", options.limit_count));
  if (common.form == Form::kJson) {
    print_json({{"apis", std::move(all)}});
    return Ok{};
  }
  if (all.empty()) {
    remark("nothing is published yet: try  noren publish FILE");
    return Ok{};
  }
  const bool any_next = std::any_of(all.begin(), all.end(),
                                    [](const json::value& api) { return !next_of(api.as_object()).empty(); });
  std::vector<std::vector<std::string>> rows = {{"ID", "TYPE", "STATE", "SERVED", "PROJECT/NAME", "URL"}};
  if (any_next) rows.back().insert(rows.back().begin() + 3, "NEXT");
  for (const json::value& value : all) {
    const json::object& api = value.as_object();
    rows.push_back({text_of(api, "id"), text_of(api, "type"), state_of(api),
                    std::to_string(number_of(api, "successes")),
                    text_of(api, "project") + "/" + text_of(api, "name"), text_of(api, "url")});
    if (any_next) rows.back().insert(rows.back().begin() + 3, next_of(api));
  }
  print_table(rows);
  return Ok{};
}

}  // namespace noren::cli
