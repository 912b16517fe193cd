/* failing.c - a library to load before others, in which the n-th call of one function fails.
 *
 * FAIL_CALL names it (write, fsync, ftruncate, malloc), FAIL_AT says which call, from 1. A write
 * fails as on a full disk, the others as of a disk that is broken, malloc for want of memory. Where
 * FAIL_COUNT names a file, how many calls there were is written there at the end.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#undef _FILE_OFFSET_BITS /* both names of a call are its own */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_long calls;
static long fail_at = -1;
static const char *fail_call = "";

static void __attribute__((constructor)) read_environment(void) {
  const char *at = getenv("FAIL_AT"), *call = getenv("FAIL_CALL");
  fail_call = call ? call : "";
  fail_at = at ? atol(at) : -1;
}

static void __attribute__((destructor)) write_count(void) {
  const char *path = getenv("FAIL_COUNT");
  if (!path)
    return;
  FILE *f = fopen(path, "w");
  if (f)
    fprintf(f, "%ld\n", (long)calls);
  if (f)
    fclose(f);
}

/* Whether this call of `name` is the one that fails. */
static bool fails(const char *name) {
  return !strcmp(name, fail_call) && ++calls == fail_at;
}

static bool is_file(int fd) {
  return fd > 2;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#pragma GCC visibility push(default)

ssize_t pwrite(int fd, const void *data, size_t n, off_t at) {
  if (is_file(fd) && fails("write")) {
    errno = ENOSPC;
    return -1;
  }
  return REAL(pwrite)(fd, data, n, at);
}

ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at) {
  if (is_file(fd) && fails("write")) {
    errno = ENOSPC;
    return -1;
  }
  return REAL(pwrite64)(fd, data, n, at);
}

ssize_t write(int fd, const void *data, size_t n) {
  if (is_file(fd) && fails("write")) {
    errno = ENOSPC;
    return -1;
  }
  return REAL(write)(fd, data, n);
}

int fsync(int fd) {
  if (fails("fsync")) {
    errno = EIO;
    return -1;
  }
  return REAL(fsync)(fd);
}

int fdatasync(int fd) {
  if (fails("fsync")) {
    errno = EIO;
    return -1;
  }
  return REAL(fdatasync)(fd);
}

int ftruncate(int fd, off_t length) {
  if (fails("ftruncate")) {
    errno = EIO;
    return -1;
  }
  return REAL(ftruncate)(fd, length);
}

int ftruncate64(int fd, off64_t length) {
  if (fails("ftruncate")) {
    errno = EIO;
    return -1;
  }
  return REAL(ftruncate64)(fd, length);
}

void *__libc_malloc(size_t n);
void *malloc(size_t n) {
  return fails("malloc") ? NULL : __libc_malloc(n);
}
