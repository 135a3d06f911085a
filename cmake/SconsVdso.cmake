# SPDX-License-Identifier: MIT
#[[
One function, for a kernel that builds with CMake:

    include(third_party/scons-vdso/cmake/SconsVdso.cmake)
    vdso_add(vdso BASE base.so LOAD_ADDR 0x300000000)
    target_link_libraries(kernel.elf PRIVATE vdso)

    vdso_add(NAME [VARIABLE value]...)

NAME becomes an interface library: what links with it finds vdso.h, and is built after it. VARIABLE is any of `scons -h` (BASE, POLICY,
DATA_PAGE...); BASE is `minimal` where it is left out, OUT is a folder NAME of the build. Relative paths are relative to the
CMakeLists.txt, but OUT to the folder of the build. Each build calls scons-vdso, which leaves a file alone that is up to date, so what
includes it is not compiled again.
]]
set(_SCONS_VDSO_ROOT ${CMAKE_CURRENT_LIST_DIR}/..)

function(vdso_add name)
    set(settings ARCH BASE LOAD_ADDR PAGE_SIZE DATA_PAGE COUNTER TIMEBASE_HZ POLICY OUT CROSS_COMPILE MIRROR V)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "${settings}" EXTRA_SRC)
    if(DEFINED arg_UNPARSED_ARGUMENTS OR DEFINED arg_KEYWORDS_MISSING_VALUES)
        list(JOIN settings ", " known)
        message(FATAL_ERROR "vdso_add(${name}): ${arg_UNPARSED_ARGUMENTS}${arg_KEYWORDS_MISSING_VALUES}: "
            "not a variable with its value; the variables are ${known}, EXTRA_SRC")
    endif()
    if(NOT DEFINED arg_BASE)
        set(arg_BASE minimal)
    endif()
    if(NOT DEFINED arg_OUT)
        set(arg_OUT ${name})
    endif()
    get_filename_component(arg_OUT ${arg_OUT} ABSOLUTE BASE_DIR ${CMAKE_CURRENT_BINARY_DIR})
    list(JOIN arg_EXTRA_SRC " " arg_EXTRA_SRC)
    foreach(setting IN LISTS settings ITEMS EXTRA_SRC)
        if(NOT "${arg_${setting}}" STREQUAL "")
            list(APPEND words "${setting}=${arg_${setting}}")
        endif()
    endforeach()
    add_custom_target(${name}-files COMMAND ${_SCONS_VDSO_ROOT}/sconsw vdso ${words} VERBATIM
        WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}
        BYPRODUCTS ${arg_OUT}/vdso.h ${arg_OUT}/vdso.so ${arg_OUT}/vdso.S ${arg_OUT}/vdso.rs ${arg_OUT}/vdso.json)
    add_library(${name} INTERFACE)
    add_dependencies(${name} ${name}-files)
    target_include_directories(${name} INTERFACE ${arg_OUT})
endfunction()
