/* The calls that a plugin can make.
 *
 * Handles that a call returns belong to the server unless its group says otherwise. Strings are a pointer and a
 * length, without NUL at the end, where a call gives a length; a length of -1 given to a call means that the string
 * ends with NUL. A call that may fail without telling has no effect then, and the server logs why.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "apidefs.h"
#include "parentselectdefs.h"

#include "calls/plugin.h"
#include "calls/diagnostics.h"
#include "calls/files.h"
#include "calls/continuations.h"
#include "calls/hooks.h"
#include "calls/urls.h"
#include "calls/fields.h"
#include "calls/headers.h"
#include "calls/transactions.h"
#include "calls/connections.h"
#include "calls/next_hop.h"
#include "calls/caching.h"
#include "calls/buffers.h"
#include "calls/streams.h"
#include "calls/requests.h"
#include "calls/tls.h"
#include "calls/records.h"
#include "calls/user_args.h"
#include "calls/encoding.h"
