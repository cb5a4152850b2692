# Precompiled headers: four fifths of a build were the compiler reading the same headers. Two sets:
# the standard library's, and those with nlohmann and fmt for the rooms that link them. Each is
# compiled once and used by every room of its kind.
set(BELAY_STD_HEADERS
    <algorithm> <array> <atomic> <charconv> <chrono> <condition_variable> <cstddef> <cstdint> <deque>
    <expected> <functional> <map> <memory> <mutex> <optional> <set> <span> <string> <string_view>
    <system_error> <thread> <utility> <variant> <vector>)
set(BELAY_JSON_HEADERS <filesystem> <sstream> <nlohmann/json.hpp> <fmt/format.h> <fmt/ranges.h>)
option(BELAY_PRECOMPILE "Precompile the headers of libraries" ON)

foreach(kind std json)
  file(WRITE ${CMAKE_BINARY_DIR}/generated/precompiled_${kind}.cpp "")
  add_library(belay_precompiled_${kind} OBJECT EXCLUDE_FROM_ALL ${CMAKE_BINARY_DIR}/generated/precompiled_${kind}.cpp)
  target_link_libraries(belay_precompiled_${kind} PRIVATE belay_options)
endforeach()
target_precompile_headers(belay_precompiled_std PRIVATE ${BELAY_STD_HEADERS})
target_link_libraries(belay_precompiled_json PRIVATE nlohmann_json::nlohmann_json fmt::fmt)
# As the rooms that use it (belay_room): GCC takes a precompiled header of the same options only.
target_compile_options(belay_precompiled_json PRIVATE $<$<CONFIG:Release>:-O1>)
target_precompile_headers(belay_precompiled_json PRIVATE ${BELAY_STD_HEADERS} ${BELAY_JSON_HEADERS})

# belay_precompiled(<target> std|json|test): the target's sources are compiled behind that set.
function(belay_precompiled target kind)
  if(BELAY_PRECOMPILE)
    target_precompile_headers(${target} REUSE_FROM belay_precompiled_${kind})
  endif()
endfunction()
