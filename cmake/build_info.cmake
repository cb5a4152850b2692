# Version, commit and the libraries' versions as definitions of one small target.
set(BELAY_COMMIT "" CACHE STRING "Commit that is built; left empty, git is asked")
string(SUBSTRING "${BELAY_COMMIT}" 0 12 belay_commit)
if(NOT belay_commit)
  execute_process(
    COMMAND git rev-parse --short=12 HEAD
    WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}
    OUTPUT_VARIABLE belay_commit
    OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
if(NOT belay_commit)
  set(belay_commit unknown)
endif()
pkg_check_modules(prometheus_core QUIET prometheus-cpp-core)

# Rows of `belay version`: what the headers of this build were.
set(BELAY_LIBRARIES "")
foreach(
  row
  "CLI11 ${CLI11_VERSION}" "cpp-httplib ${httplib_VERSION}" "curl ${CURL_VERSION_STRING}" "fmt ${fmt_VERSION}" "libyaml ${libyaml_VERSION}"
            "nlohmann-json ${nlohmann_json_VERSION}" "openssl ${OPENSSL_VERSION}" "prometheus-cpp ${prometheus_core_VERSION}"
            "rapidjson ${RapidJSON_VERSION}" "re2 ${re2_VERSION}" "spdlog ${spdlog_VERSION}")
  if(row MATCHES " 0.0.0$") # all that the pkg-config file of some packages says
    continue()
  endif()
  string(REPLACE " " "\", \"" row "${row}")
  string(APPEND BELAY_LIBRARIES "  {\"${row}\"}, \\\n")
endforeach()

add_library(belay_build_info INTERFACE)
set(BELAY_COMMIT ${belay_commit})
configure_file(${CMAKE_CURRENT_SOURCE_DIR}/cmake/build_info.h.in ${CMAKE_BINARY_DIR}/generated/build_info.h)
target_include_directories(belay_build_info INTERFACE ${CMAKE_BINARY_DIR}/generated)
