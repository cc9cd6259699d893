# Debian packages of the shared library, one per install component. ./dev package builds them.
include_guard()

set(runtime_package "libdynamo${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}")
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME dynamo)
set(CPACK_PACKAGE_CONTACT "The dynamo authors")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_COMPONENTS_ALL runtime development)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)

set(CPACK_DEBIAN_RUNTIME_PACKAGE_NAME "${runtime_package}")
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_COMPONENT_RUNTIME_DESCRIPTION "What a program that uses dynamo needs to run.")

# Of the libraries, the headers include Abseil and asio only; the rest stays inside.
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libdynamo-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS
  "${runtime_package} (= ${PROJECT_VERSION}), libabsl-dev, libasio-dev (>= 1:1.22)")
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION "What is needed to build a program that uses dynamo.")

foreach(component_package "runtime=${runtime_package}" development=libdynamo-dev)
  string(REPLACE "=" ";" component_package "${component_package}")
  list(POP_FRONT component_package component package)
  install(FILES LICENSE DESTINATION "${CMAKE_INSTALL_DATAROOTDIR}/doc/${package}"
    RENAME copyright COMPONENT ${component})
endforeach()

include(CPack)
