// /api/v1/status/series_limits: the limits on series, and who is over them.
#include <nlohmann/json.hpp>

#include "agent/web/api_json.h"

namespace tributary {
namespace {

using Json = nlohmann::ordered_json;

Json ToJson(const std::vector<SeriesOffender>& offenders, bool are_labels) {
  Json list = Json::array();
  for (const SeriesOffender& offender : offenders) {
    Json json = {
        {"name", offender.name}, {"droppedSeries", offender.series}, {"error", offender.error}};
    if (are_labels) json["values"] = offender.values;
    list.push_back(std::move(json));
  }
  return list;
}

Json ToJson(const SeriesLimitStatus& limit) {
  Json json;
  json["scope"] = limit.scope;
  json["name"] = limit.name;
  json["limit"] = limit.limit;
  json["activeSeries"] = limit.has_active ? Json(limit.active) : Json(nullptr);
  json["droppedSeries"] = limit.dropped_series;
  json["droppedSamples"] = limit.dropped_samples;
  json["lastDropped"] =
      limit.last_dropped_ms == 0 ? Json(nullptr) : Json(ApiTime(limit.last_dropped_ms));
  json["offenders"] = {{"sources", ToJson(limit.sources, false)},
                       {"metrics", ToJson(limit.metrics, false)},
                       {"labels", ToJson(limit.labels, true)}};
  return json;
}

}  // namespace

std::string SeriesLimitsJson(const std::vector<SeriesLimitStatus>& limits) {
  Json data;
  data["limits"] = Json::array();
  for (const SeriesLimitStatus& limit : limits) data["limits"].push_back(ToJson(limit));
  const Json json = {{"status", "success"}, {"data", std::move(data)}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace tributary
