#include "agent/web/ui_files.h"

#include <regex>
#include <string>

#include "test/support/catch.h"

namespace tributary {
namespace {

bool Finds(std::string_view text, const char* pattern) {
  return std::regex_search(text.begin(), text.end(), std::regex(pattern));
}

TEST_CASE("page: nothing in it that its own content security policy would stop") {
  CHECK_FALSE(Finds(kUiIndexHtml, R"(\son[a-z]+=)"));      // inline handlers
  CHECK_FALSE(Finds(kUiIndexHtml, R"(\sstyle=|<style)"));  // inline style
  CHECK_FALSE(Finds(kUiIndexHtml, R"(<script>|javascript:)"));
  CHECK_FALSE(Finds(kUiIndexHtml, R"((src|href)="[^/#])"));  // only this server
  CHECK_FALSE(Finds(kUiIndexHtml, R"((src|href)="//)"));
  CHECK_FALSE(Finds(kUiStyleCss, R"(url\(|@import)"));
}

TEST_CASE("page: text from targets cannot become markup or code") {
  CHECK_FALSE(Finds(
      kUiAppJs, R"(innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function)"));
}

TEST_CASE("page: the script finds every element it asks for") {
  const std::string script(kUiAppJs);
  const std::regex call(R"(byId\('([a-z-]+)'\))");
  size_t asked = 0;
  for (std::sregex_iterator at(script.begin(), script.end(), call), end; at != end; ++at, asked++) {
    const std::string id = "id=\"" + (*at)[1].str() + "\"";
    INFO(id);
    CHECK(kUiIndexHtml.find(id) != std::string_view::npos);
  }
  CHECK(asked > 5);
}

}  // namespace
}  // namespace tributary
