# What is installed where, and the Debian package that CPack makes of it: `deploy/debian/build BUILD-FOLDER`.
include(GNUInstallDirs)

install(TARGETS tributary agentctl RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES docs/man/agentctl.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES docs/man/tributary.8 DESTINATION ${CMAKE_INSTALL_MANDIR}/man8)
install(FILES deploy/debian/completion/tributary DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES deploy/debian/completion/tributary DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
        RENAME agentctl)
install(FILES deploy/debian/completion/_tributary deploy/debian/completion/_agentctl
        DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)

# The rest is for systems with Debian's folders, and part of the package only.
install(FILES deploy/systemd/tributary.service DESTINATION /lib/systemd/system COMPONENT debian EXCLUDE_FROM_ALL)
install(FILES deploy/debian/tributary.yml DESTINATION /etc/tributary COMPONENT debian EXCLUDE_FROM_ALL)
install(FILES deploy/debian/default DESTINATION /etc/default RENAME tributary COMPONENT debian EXCLUDE_FROM_ALL)
set(documents DESTINATION /usr/share/doc/tributary COMPONENT debian EXCLUDE_FROM_ALL)
install(FILES deploy/debian/copyright ${documents})
install(FILES deploy/debian/changelog ${documents} RENAME changelog.Debian)
install(FILES CHANGELOG.md ${documents} RENAME changelog)
install(FILES deploy/debian/lintian-overrides DESTINATION /usr/share/lintian/overrides RENAME tributary
        COMPONENT debian EXCLUDE_FROM_ALL)
install(DIRECTORY configs/ DESTINATION /usr/share/doc/tributary/examples COMPONENT debian EXCLUDE_FROM_ALL)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME tributary)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT "Tributary maintainers <maintainers@tributary.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "metrics agent: scrapes Prometheus targets and forwards samples")
set(CPACK_PACKAGE_DESCRIPTION "Tributary scrapes Prometheus targets, relabels their series and forwards
the samples by remote write to one or more central stores. It reads
Prometheus' own configuration file and answers on Prometheus' own paths.
What was scraped and not yet delivered outlives restarts and outages.
.
This package has the agent as a service, and agentctl, which checks and
explains configurations and looks at agents that run.")
set(CPACK_COMPONENTS_ALL Unspecified debian)
set(CPACK_COMPONENTS_GROUPING ALL_COMPONENTS_IN_ONE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_SET_DESTDIR ON)  # there are folders outside of the prefix
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
# gzip -9n for what Debian wants compressed, permissions, and one time for all: the same bytes from the same sources.
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_LIST_DIR}/PackageFiles.cmake)

set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_PREDEPENDS "init-system-helpers (>= 1.54~)")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS ca-certificates)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS bash-completion)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "aarch64")
  set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE arm64)
endif()
foreach(script conffiles postinst prerm postrm)
  list(APPEND CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${PROJECT_SOURCE_DIR}/deploy/debian/${script})
endforeach()
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)
