/* util.c - version, aligned memory, clock, small text helpers.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "mho/base.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { HUGE_PAGE = 1 << 21, LARGE = 1 << 22 }; /* bytes */

const char *mho_version(void) {
  return MHO_VERSION;
}

void *mho_alloc(size_t n, size_t size) {
  size_t bytes;
  if (__builtin_mul_overflow(n, size, &bytes) || bytes > SIZE_MAX - HUGE_PAGE)
    return NULL;

  /* aligned_alloc wants a multiple of the alignment */
  bytes = bytes ? (bytes + 63) & ~(size_t)63 : 64;
  bool large = bytes >= LARGE;
  if (large)
    bytes = (bytes + HUGE_PAGE - 1) & ~(size_t)(HUGE_PAGE - 1);

  void *p = aligned_alloc(large ? HUGE_PAGE : 64, bytes);
  if (!p)
    return NULL;

  /* a hint: 512 times fewer page faults and address translations where the kernel has such pages */
  if (large)
    madvise(p, bytes, MADV_HUGEPAGE);

  memset(p, 0, bytes);
  return p;
}

void mho_free(void *p) {
  free(p);
}

size_t mho_real_size(void) {
  return sizeof(mho_real);
}

double mho_deviation(int n, double sum, double squares) {
  if (n < 2)
    return NAN;
  return sqrt(fmax(squares - sum * sum / n, 0) / (n - 1));
}

double mho_seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int mho_text_distance(const char *a, const char *b) {
  enum { MAX = 64 };
  int row[MAX + 1];
  int na = (int)strnlen(a, MAX), nb = (int)strnlen(b, MAX);

  for (int j = 0; j <= nb; j++)
    row[j] = j;

  for (int i = 1; i <= na; i++) {
    int diagonal = row[0];
    row[0] = i;
    for (int j = 1; j <= nb; j++) {
      int best = diagonal + (a[i - 1] != b[j - 1]);
      if (row[j] + 1 < best)
        best = row[j] + 1;
      if (row[j - 1] + 1 < best)
        best = row[j - 1] + 1;
      diagonal = row[j];
      row[j] = best;
    }
  }

  return row[nb];
}

void mho_text_append(char *buf, size_t capacity, const char *format, ...) {
  size_t used = strnlen(buf, capacity);
  if (used >= capacity)
    return;

  va_list ap;
  va_start(ap, format);
  vsnprintf(buf + used, capacity - used, format, ap);
  va_end(ap);
}
