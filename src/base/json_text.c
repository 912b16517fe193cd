/* json_text.c - JSON from text, whole or not at all.
 *
 * jansson takes its memory by functions that it can be given, for all of a process: these are those
 * of the C library, and remember of a thread that one has failed.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/json_text.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local bool has_failed;

static void *allocate(size_t n) {
  void *p = malloc(n);
  has_failed = has_failed || !p;
  return p;
}

static void set_memory(void) {
  json_set_alloc_funcs(allocate, free);
}

json_t *mho__json_of_bytes(const char *bytes, size_t n, size_t flags, json_error_t *why) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, set_memory);

  has_failed = false;
  json_t *json = json_loadb(bytes, n, flags, why);
  if (!has_failed)
    return json;

  json_decref(json);
  if (why)
    snprintf(why->text, sizeof why->text, "no memory");
  return NULL;
}

json_t *mho__json_of_text(const char *text, json_error_t *why) {
  return text ? mho__json_of_bytes(text, strlen(text), 0, why) : NULL;
}
