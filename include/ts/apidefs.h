/* Types, constants and limits of the plugin interface: everything that is no call.
 *
 * The interface is that of Traffic Server 9.2, so that one binary of a plugin runs in both servers. The parts can be
 * read in the order in which they are included here.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "defs/base.h"
#include "defs/handles.h"
#include "defs/events.h"
#include "defs/hooks.h"
#include "defs/http.h"
#include "defs/cache.h"
#include "defs/io.h"
#include "defs/records.h"
#include "defs/overridable.h"
#include "defs/tokens.h"

#ifdef __cplusplus
namespace ts
{
/* A file descriptor that is none. */
static const int NO_FD = -1;
} // namespace ts
#endif
