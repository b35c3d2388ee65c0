// noren list: what is published, newest first.
#include <algorithm>

#include <fmt/format.h>
#include <boost/json.hpp>

#include "cli/session.h"

namespace noren::cli {

namespace json = boost::json;

Status list(const Hooks& hooks, const Common& common, const ListOptions& options) {
  ASSIGN_OR_RETURN(const Session session, Session::find(hooks, common.where));
  json::array all;
  std::string before;
  while (static_cast<std::int64_t>(all.size()) < options.limit_count) {
    const auto wanted =
        std::min<std::int64_t>(1'000, options.limit_count - static_cast<std::int64_t>(all.size()));
    ASSIGN_OR_RETURN(const json::object page,
                     session.ask("GET", fmt::format("apis?limit={}{}", wanted, before)));
    const json::value* apis = page.if_contains("apis");
    if (apis == nullptr || !apis->is_array()) return internal("the list has no apis");
    for (const json::value& api : apis->get_array()) all.push_back(api);
    const json::value* next = page.if_contains("next_before");
    if (next == nullptr) break;
    before = "&before=" + json::serialize(*next);
  }
  if (common.form == Form::kJson) {
    print_json({{"apis", std::move(all)}});
    return Ok{};
  }
  if (all.empty()) {
    remark("nothing is published yet: try  noren publish FILE");
    return Ok{};
  }
  std::vector<std::vector<std::string>> rows = {{"ID", "TYPE", "STATE", "SERVED", "PROJECT/NAME", "URL"}};
  for (const json::value& value : all) {
    const json::object& api = value.as_object();
    rows.push_back({text_of(api, "id"), text_of(api, "type"), text_of(api, "state"),
                    std::to_string(number_of(api, "successes")),
                    text_of(api, "project") + "/" + text_of(api, "name"), text_of(api, "url")});
  }
  print_table(rows);
  return Ok{};
}

}  // namespace noren::cli
