/* Plugins themselves: registration, places, version, memory, assertions.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "../apidefs.h"

#ifdef __cplusplus
extern "C" {
#endif

/* To be called in TSPluginInit; anywhere else it is an error. */
TSReturnCode TSPluginRegister(const TSPluginRegistrationInfo *info);

/* Whether a remap plugin's library is loaded anew when its file has changed; called while it is initialised. */
TSReturnCode TSPluginDSOReloadEnable(int enabled);

/* Directories: of the installation, of configuration files, of runtime files, of plugins. The strings stay. */
const char *TSInstallDirGet(void);
const char *TSConfigDirGet(void);
const char *TSRuntimeDirGet(void);
const char *TSPluginDirGet(void);

/* The version of Traffic Server whose behaviour this is: a string that stays, and its parts. */
const char *TSTrafficServerVersionGet(void);
int TSTrafficServerVersionGetMajor(void);
int TSTrafficServerVersionGetMinor(void);
int TSTrafficServerVersionGetPatch(void);

/* Memory. What a call says to be the plugin's ends with TSfree; what a call takes over was made with TSmalloc. The
 * macros below note where memory was asked for. */
void *_TSmalloc(size_t size, const char *path);
void *_TSrealloc(void *ptr, size_t size, const char *path);
char *_TSstrdup(const char *text, int64_t length, const char *path);
void _TSfree(void *ptr);

/* Copy and append within `size` bytes, NUL included; the length that was wanted is returned. */
size_t _TSstrlcpy(char *dst, const char *text, size_t size);
size_t _TSstrlcat(char *dst, const char *text, size_t size);

#define TSmalloc(size) _TSmalloc((size), TS_RES_MEM_PATH)
#define TSrealloc(ptr, size) _TSrealloc((ptr), (size), TS_RES_MEM_PATH)
#define TSstrdup(text) _TSstrdup((text), -1, TS_RES_MEM_PATH)
#define TSstrndup(text, length) _TSstrdup((text), (length), TS_RES_MEM_PATH)
#define TSfree(ptr) _TSfree(ptr)
#define TSstrlcpy(dst, text, size) _TSstrlcpy((dst), (text), (size))
#define TSstrlcat(dst, text, size) _TSstrlcat((dst), (text), (size))

/* Assertions: TSReleaseAssert ends the process if the condition is false, TSAssert does so in debug builds of the
 * server only. */
void _TSReleaseAssert(const char *text, const char *file, int line) TS_NORETURN;
int _TSAssert(const char *text, const char *file, int line);

#define TSReleaseAssert(condition) \
  ((void)((condition) ? (void)0 : _TSReleaseAssert(#condition, __FILE__, __LINE__)))
#define TSAssert(condition) ((void)((condition) || (_TSAssert(#condition, __FILE__, __LINE__))))

#ifdef __cplusplus
}
#endif
