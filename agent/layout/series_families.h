// Which family each series of a target belongs to, for remote write 2.0: worked out when a page has
// changed what it says of families, or where. Follows prometheus/prometheus
// scrape/scrape_append_v2.go (the family of the last TYPE, HELP or UNIT line, as long as series are
// part of it) and scrape/scrape.go (isSeriesPartOfFamily, reportSample) (3.16). One thread.
#pragma once

#include <string_view>

#include "agent/layout/target_layout.h"
#include "agent/series/metadata_pool.h"

namespace tributary {

// Whether a series of this name may be one of the family by the suffixes that the family's type
// has.
bool IsPartOfFamily(std::string_view series, const FamilyMetadata& family);

// Sets `metadata` of the layout's groups by its lines, which are in the page's order; a line that
// is on the page twice counts where it comes first. A series of which the lines say nothing keeps
// what it had. Families are taken from `pool`, which is not the one of what targets say now: series
// that are gone still have theirs.
void SettleSeriesFamilies(TargetLayout& layout, MetadataPool& pool);

}  // namespace tributary
