# Run by CPack once the files of the package are in their folder, before it packs them.
set(root ${CPACK_TEMPORARY_INSTALL_DIRECTORY}/ALL_COMPONENTS_IN_ONE)
if(NOT DEFINED ENV{SOURCE_DATE_EPOCH})
  message(FATAL_ERROR "SOURCE_DATE_EPOCH is not set: make the package by deploy/debian/build")
endif()

function(run)
  execute_process(COMMAND ${ARGV} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

# Its changelog names whom its control file names (deploy/debian/build).
set(changelog ${root}/usr/share/doc/tributary/changelog.Debian)
file(READ ${changelog} text)
string(REPLACE "Tributary maintainers <maintainers@tributary.invalid>" "$ENV{TRIBUTARY_MAINTAINER}" text "${text}")
file(WRITE ${changelog} "${text}")

file(GLOB compressed ${root}/usr/share/doc/tributary/changelog* ${root}/usr/share/man/man?/*)
run(gzip -9n ${compressed})
run(chmod -R u=rwX,go=rX ${root})
run(find ${root} -exec touch -h -d @$ENV{SOURCE_DATE_EPOCH} {} +)
