/* Calls that need no transaction, whose results are written to a report, one line each: the same object file is
 * loaded by Traffic Server and by Tollgate, and the two reports must be equal. */
#pragma once
#include "report.h"
#include <stdlib.h>
#include <string.h>
#include <ts/ts.h>
#include <ts/experimental.h>

/* A directory that may be written to. */
extern const char *scratch;
/* The directory of logs. */
extern const char *log_folder;

void run_user_args(void);
void run_stats(void);
void run_records(void);
void run_created_records(void);
void run_config_find(void);
void run_configs(void);
void run_files(void);
void run_text_logs(void);
void run_misc(void);
void run_matcher(void);

/* What can be seen only after some time; runs on a thread of its own. */
void wait_for_stats(void);
void wait_for_text_logs(void);

/* As `say`, for a text that ends with a NUL. */
void say_text(const char *label, const char *text);
