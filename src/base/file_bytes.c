/* file_bytes.c - a whole file in memory.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/file_bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/whole_file.h"

/* The whole file with a 0 behind it; NULL with errno when it cannot be read. */
static char *read_whole(int fd, size_t *length) {
  size_t n = 0, capacity = 1 << 16;
  struct stat s;

  if (!fstat(fd, &s) && s.st_size > 0)
    capacity = (size_t)s.st_size + 2;
  char *text = malloc(capacity);

  while (text) {
    ssize_t got = read(fd, text + n, capacity - n - 1);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      break;
    if (got == 0) {
      text[n] = 0;
      *length = n;
      return text;
    }

    n += (size_t)got;
    if (n + 1 < capacity)
      continue;
    capacity *= 2;
    char *bigger = realloc(text, capacity);
    if (!bigger)
      break;
    text = bigger;
  }

  free(text);
  return NULL;
}

mho_err mho__refuse_device(int fd, const char *path, mho_errinfo *ei) {
  struct stat s;
  if (fstat(fd, &s) || !S_ISCHR(s.st_mode) || isatty(fd))
    return MHO_OK;
  return mho_fail_at(ei, MHO_EDATA, path, 0, "is a device, and no file");
}

mho_err mho__file_bytes(const char *path, char **out, size_t *length, mho_errinfo *ei) {
  *out = NULL;
  *length = 0;
  bool standard = !strcmp(path, "-");
  int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return mho_fail_at(ei, mho__io_error(errno), path, 0, "%s", strerror(errno));

  mho_err err = standard ? MHO_OK : mho__refuse_device(fd, path, ei);
  if (err) {
    close(fd);
    return err;
  }

  errno = 0;
  *out = read_whole(fd, length);
  int why = errno;
  if (!standard)
    close(fd);

  if (*out)
    return MHO_OK;
  return mho_fail_at(ei, why == ENOMEM ? MHO_ENOMEM : MHO_EIO, path, 0, "%s",
                     strerror(why ? why : ENOMEM));
}
