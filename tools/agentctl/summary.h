// What a configuration amounts to, for people and for machines. Never shows a secret.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "common/config/loader.h"

namespace tributary {

std::string SummaryText(const std::string& file, const LoadResult& result);
nlohmann::ordered_json SummaryJson(const std::string& file, const LoadResult& result);

}  // namespace tributary
