# Options of every target: warnings, hardening, and what the chosen build asks for.
# tests/release holds the program that comes out against the list.
add_library(belay_options INTERFACE)
target_compile_options(belay_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor
                                               -Woverloaded-virtual -Wimplicit-fallthrough)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # libstdc++ 12 calls its own deprecated functions from its headers' templates; and to leave the
  # other fields at their defaults is what designated initialisers are for (GCC agrees).
  target_compile_options(belay_options INTERFACE -Wno-deprecated-declarations
                                                 -Wno-missing-designated-field-initializers)
endif()
option(BELAY_WERROR "Warnings are errors" ON)
if(BELAY_WERROR)
  target_compile_options(belay_options INTERFACE -Werror)
endif()
# Indices and optionals are checked in every build, the shipped one too.
target_compile_definitions(belay_options INTERFACE _GLIBCXX_ASSERTIONS)

# The trees asan and fuzz are compiled with the same options, so that ccache compiles each file once
# for both. It is clang that compiles them: half as long as GCC takes to instrument.
if(BELAY_SANITIZE)
  target_compile_definitions(belay_options INTERFACE BELAY_SANITIZED)
  target_compile_options(belay_options INTERFACE -fsanitize=${BELAY_SANITIZE} -fno-sanitize-recover=all
                                                 -fno-omit-frame-pointer -g1)
  target_link_options(belay_options INTERFACE -fsanitize=${BELAY_SANITIZE})
elseif(BELAY_COVERAGE)
  # Servers write their counters from several threads: with -pthread GCC lets them count atomically.
  # (-fprofile-update=atomic says the same, but ccache does not know it and keeps nothing.)
  target_compile_options(belay_options INTERFACE --coverage -pthread -O0 -g1)
  target_link_options(belay_options INTERFACE --coverage)
else()
  target_compile_options(belay_options INTERFACE -fstack-protector-strong -fstack-clash-protection)
  if(CMAKE_BUILD_TYPE MATCHES "Rel")
    target_compile_definitions(belay_options INTERFACE _FORTIFY_SOURCE=2)
  endif()
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    target_compile_options(belay_options INTERFACE -fcf-protection)
  endif()
  target_link_options(belay_options INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack)
endif()

# check_pie_supported() makes CMAKE_POSITION_INDEPENDENT_CODE reach the linker, as -pie.
include(CheckPIESupported)
check_pie_supported()
