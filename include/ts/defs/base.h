/* Compiler attributes, the version, return codes, and what a plugin tells about itself.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <time.h>

/* Stands before each entry point that a plugin defines. Define it before the first include to give them an attribute,
 * such as default visibility in a library compiled with hidden visibility. */
#ifndef tsapi
#define tsapi
#endif

/* A call that takes a format as printf does: position of the format, position of the first value. */
#ifndef TS_PRINTFLIKE
#ifdef __GNUC__
#define TS_PRINTFLIKE(format_at, values_at) __attribute__((format(printf, format_at, values_at)))
#else
#define TS_PRINTFLIKE(format_at, values_at)
#endif
#endif

/* A call that does not return. */
#ifndef TS_NORETURN
#ifdef __GNUC__
#define TS_NORETURN __attribute__((noreturn))
#else
#define TS_NORETURN
#endif
#endif

/* A call kept for old plugins. */
#ifndef TS_DEPRECATED
#ifdef __GNUC__
#define TS_DEPRECATED __attribute__((deprecated))
#else
#define TS_DEPRECATED
#endif
#endif

/* The version of Traffic Server whose interface this is. */
#define TS_VERSION_STRING "9.2.9"
#define TS_VERSION_NUMBER 9002009
#define TS_VERSION_MAJOR 9
#define TS_VERSION_MINOR 2
#define TS_VERSION_MICRO 9

/* An HTTP version as one number, and its parts. */
#define TS_HTTP_VERSION(major, minor) ((((major) & 0xFFFF) << 16) | ((minor) & 0xFFFF))
#define TS_HTTP_MAJOR(version) (((version) >> 16) & 0xFFFF)
#define TS_HTTP_MINOR(version) ((version) & 0xFFFF)

/* Where memory was asked for: `memory/FILE:LINE`. */
#ifndef TS_RES_MEM_PATH
#define __TS_RES_PATH(x) #x
#define _TS_RES_PATH(x) __TS_RES_PATH(x)
#define TS_RES_PATH(x) x __FILE__ ":" _TS_RES_PATH(__LINE__)
#define TS_RES_MEM_PATH TS_RES_PATH("memory/")
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Most calls return this. The pointers they fill are to be used after success only. */
typedef enum {
  TS_ERROR = -1,
  TS_SUCCESS = 0,
} TSReturnCode;

/* Who made the plugin; given to TSPluginRegister, which copies the strings. */
typedef struct {
  const char *plugin_name;
  const char *vendor_name;
  const char *support_email;
} TSPluginRegistrationInfo;

/* What an operator sent with `ctl plugin msg`: `data_size` bytes at `data`, `tag` ends with NUL. It is the `edata` of
 * TS_EVENT_LIFECYCLE_MSG and is valid during the call. */
typedef struct {
  const char *tag;
  const void *data;
  size_t data_size;
} TSPluginMsg;

/* The entry point of a global plugin: called once for each line of plugin.config, with the words of that line. It has
 * to call TSPluginRegister. */
tsapi void TSPluginInit(int argc, const char *argv[]);

#ifdef __cplusplus
}
#endif
