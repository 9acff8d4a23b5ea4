/* The report that a program writes: one line for each result. */
#pragma once
#include <stdio.h>

extern FILE *report;

/* Writes `label text`; bytes that cannot be read are escaped, a null pointer is told from an empty string. */
void say(const char *label, const char *text, int length);
void say_number(const char *label, long long number);
