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
elseif(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # Guesses of GCC's optimiser that are wrong inside libstdc++'s own strings (GCC's bugs 105329, 105651);
  # behind a precompiled header it takes them for our code. AddressSanitizer looks for the real thing.
  target_compile_options(belay_options INTERFACE -Wno-restrict)
  if(CMAKE_BUILD_TYPE MATCHES "Rel")
    target_compile_options(belay_options INTERFACE -Wno-array-bounds -Wno-stringop-overflow
                                                   -Wno-stringop-overread)
  endif()
endif()
if(BELAY_UNITY AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # Of a type in an unnamed namespace it says that another file could see it; here the file that
  # includes the others is taken for such a one.
  target_compile_options(belay_options INTERFACE -Wno-subobject-linkage)
endif()
option(BELAY_WERROR "Warnings are errors" ON)
if(BELAY_WERROR)
  target_compile_options(belay_options INTERFACE -Werror)
endif()
# Of every target alike, since some libraries ask for it: a precompiled header serves only those whose
# macros are its own.
target_compile_options(belay_options INTERFACE -pthread)
# Indices and optionals are checked in every build, the shipped one too.
target_compile_definitions(belay_options INTERFACE _GLIBCXX_ASSERTIONS)

# The trees asan and fuzz are compiled with the same options, so that ccache compiles each file once
# for both. It is clang that compiles them: half as long as GCC takes to instrument.
if(BELAY_SANITIZE)
  target_compile_definitions(belay_options INTERFACE BELAY_SANITIZED)
  target_compile_options(belay_options INTERFACE -fsanitize=${BELAY_SANITIZE} -fno-sanitize-recover=all
                                                 -fno-omit-frame-pointer -g1)
  target_link_options(belay_options INTERFACE -fsanitize=${BELAY_SANITIZE})
elseif(NOT BELAY_COVERAGE)
  target_compile_options(belay_options INTERFACE -fstack-protector-strong -fstack-clash-protection)
  if(CMAKE_BUILD_TYPE MATCHES "Rel")
    target_compile_definitions(belay_options INTERFACE _FORTIFY_SOURCE=2)
  endif()
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    target_compile_options(belay_options INTERFACE -fcf-protection)
  endif()
  target_link_options(belay_options INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack)
endif()

if(BELAY_COVERAGE)
  # Counters of what was run, atomic ones, since servers have threads. This is -fprofile-instr-generate
  # -fprofile-update=atomic -fcoverage-mapping in the compiler's own words: from the driver's, ccache
  # concludes that every tree needs objects of its own.
  target_compile_options(
    belay_options INTERFACE "SHELL:-Xclang -fprofile-instrument=clang" "SHELL:-Xclang -fprofile-update=atomic"
                            "SHELL:-Xclang -fcoverage-mapping" -fcoverage-compilation-dir=.)
  # Where programs leave their counters when they end: one file a program, two where two end at once.
  # scripts/coverage.py reads them.
  file(WRITE ${CMAKE_BINARY_DIR}/generated/counters.c
       "char __llvm_profile_filename[] = \"${CMAKE_BINARY_DIR}/counters/%2m.profraw\";\n")
  add_library(belay_counters STATIC ${CMAKE_BINARY_DIR}/generated/counters.c)
  target_link_libraries(belay_options INTERFACE belay_counters)
  target_link_options(belay_options INTERFACE -fprofile-instr-generate -Wl,-u,__llvm_profile_filename)
endif()

# check_pie_supported() makes CMAKE_POSITION_INDEPENDENT_CODE reach the linker, as -pie.
include(CheckPIESupported)
check_pie_supported()
