/* fuzz.h - what the harnesses share: each gives one parser the bytes that a fuzzer makes up.
 *
 * A harness is a file with LLVMFuzzerTestOneInput (https://llvm.org/docs/LibFuzzer.html), which
 * must return whatever the bytes are. campaign.py runs it with libFuzzer; replay.c runs it on its
 * corpus, as an ordinary test.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef MHO_FUZZ_H
#define MHO_FUZZ_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mho/experiment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** End the process, as a crash is ended, where what must hold does not. */
static inline void must(bool holds, const char *what) {
  if (holds)
    return;
  fprintf(stderr, "fuzz: %s\n", what);
  abort();
}

/** The bytes as a text with a 0 behind it; free it with free(). */
static inline char *text_of(const uint8_t *data, size_t size) {
  char *text = malloc(size + 1);
  must(text, "no memory");
  memcpy(text, data, size);
  text[size] = 0;
  return text;
}

/** The bytes as a file in memory: its path, until the next call. */
static inline const char *file_of(const uint8_t *data, size_t size) {
  static char path[64];
  static int fd = -1;
  if (fd < 0)
    fd = memfd_create("fuzz", 0);
  bool written = fd >= 0 && !ftruncate(fd, 0) && pwrite(fd, data, size, 0) == (ssize_t)size;
  must(written, "no file in memory");
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  return path;
}

/** All registered things, made once. */
static inline const mho_registry *registry_of_all(void) {
  static mho_registry *registry;
  if (!registry)
    must(!mho_registry_new(&registry, NULL), "no registry");
  return registry;
}

/** An error must say something. */
static inline void check_error(mho_err err, const mho_errinfo *ei) {
  must(!err || *ei->message, "an error without a sentence");
}

#endif
