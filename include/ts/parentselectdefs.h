/* The choice of the next hop by a plugin.
 *
 * SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* What is to be done about the next hop, for TSHttpTxnResponseActionSet. `hostname` ends with NUL, is not copied and
 * has to live as long as the transaction; `port` is in host order. */
typedef struct {
  const char *hostname;
  size_t hostname_len;
  in_port_t port;
  bool fail;                /* no hop is left: answer with an error */
  bool is_retry;            /* the hop was tried before */
  bool nextHopExists;       /* there is another one after this */
  bool responseIsRetryable; /* with this response the next one is tried */
  bool goDirect;            /* the origin itself is asked */
  bool parentIsProxy;       /* the hop gets requests as a proxy does */
  bool no_cache;            /* the response is not stored */
} TSResponseAction;
