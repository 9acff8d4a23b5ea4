/* Calls on header objects whose results are written to a report, one line each: the same object file is loaded by
 * Traffic Server and by Tollgate, and the two reports must be equal. */
#pragma once
#include "report.h"
#include <string.h>
#include <ts/ts.h>
#include <ts/experimental.h>

void run_fields(void);
void run_values(void);
void run_urls(void);
void run_parsers(void);
void run_starts(void);
void run_encodings(void);
void run_constants(void);
void run_uuids(void);

/* The serialised header or URL. */
void say_header(const char *label, TSMBuffer buffer, TSMLoc header);
void say_fields(const char *label, TSMBuffer buffer, TSMLoc header);
void say_url(const char *label, TSMBuffer buffer, TSMLoc url);
TSMLoc make_field(TSMBuffer buffer, TSMLoc header, const char *name, const char *value);
