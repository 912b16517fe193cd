/* whole_file.c - files that take their name when they are whole.
 *
 * The file is made without a name in the folder of the target (O_TMPFILE), so that nothing is left
 * of it when the process is killed, gets one beside the target, and is renamed. Where the file
 * system knows no such files it has that name from the beginning.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/whole_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The path without links where it is a file or none yet; NULL where it is written in its place. */
static char *find_target(const char *path, mode_t *mode) {
  struct stat st;
  *mode = 0;
  if (!stat(path, &st)) {
    *mode = st.st_mode & 07777;
    return S_ISREG(st.st_mode) ? realpath(path, NULL) : NULL;
  }
  return lstat(path, &st) ? strdup(path) : NULL;
}

/* A file without a name in the folder of `target`, -1 where there is none. */
static int open_nameless(const char *target) {
  char *folder = strdup(target);
  char *slash = folder ? strrchr(folder, '/') : NULL;
  if (slash)
    slash[1] = 0;
  const char *where = slash ? folder : ".";
  int fd = folder ? open(where, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0666) : -1;
  free(folder);
  return fd;
}

static void forget(mho_whole_file *w) {
  free(w->target);
  free(w->temporary);
  if (w->fd >= 0)
    close(w->fd);
  *w = (mho_whole_file){.fd = -1};
}

/* Begin the file beside its target; false where that cannot be. */
static bool begin_beside(mho_whole_file *w, mode_t mode) {
  size_t n = w->target ? strlen(w->target) + sizeof ".part" : 0;
  w->temporary = n ? malloc(n) : NULL;
  if (!w->temporary)
    return false;
  snprintf(w->temporary, n, "%s.part", w->target);

  w->fd = open_nameless(w->target);
  int own = w->fd >= 0 ? dup(w->fd) /* fclose closes it */
                       : open(w->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (own >= 0 && mode)
    (void)!fchmod(own, mode);
  w->f = own >= 0 ? fdopen(own, "wb") : NULL;
  if (!w->f && own >= 0)
    close(own);
  return w->f;
}

FILE *mho__whole_open(const char *path, mho_whole_file *w) {
  mode_t mode;
  *w = (mho_whole_file){.path = path, .fd = -1};
  w->target = find_target(path, &mode);
  if (w->target && begin_beside(w, mode))
    return w->f;

  /* a device, a pipe, a link to nowhere, or a file in a folder that cannot be written */
  forget(w);
  w->path = path;
  w->f = fopen(path, "wb");
  return w->f;
}

int mho__whole_descriptor(const mho_whole_file *w) {
  return fileno(w->f);
}

/* 0 when all that was printed is written, else the cause. An earlier write that failed has left
 * none: one more fails for the same. */
static int flush(FILE *f) {
  errno = 0;
  bool is_written = !fflush(f) && !ferror(f);
  if (is_written)
    return 0;

  if (!errno) {
    clearerr(f);
    fputc('\n', f);
    fflush(f);
  }
  return errno ? errno : EIO;
}

mho_err mho__flush(FILE *f, const char *what, mho_errinfo *ei) {
  int why = flush(f);
  return why ? mho_fail(ei, mho__io_error(why), "%s: %s", what, strerror(why)) : MHO_OK;
}

/* Whether the file has its name: at once where there is none of that name, else in the place of the
 * older one. */
static bool give_name(const mho_whole_file *w) {
  char own[64];
  snprintf(own, sizeof own, "/proc/self/fd/%d", w->fd);
  if (w->fd >= 0) {
    unlink(w->temporary); /* of a process that was killed */
    if (!linkat(AT_FDCWD, own, AT_FDCWD, w->target, AT_SYMLINK_FOLLOW))
      return true;
    if (linkat(AT_FDCWD, own, AT_FDCWD, w->temporary, AT_SYMLINK_FOLLOW))
      return false;
  }
  return !rename(w->temporary, w->target);
}

mho_err mho__whole_end(mho_whole_file *w, mho_err err, const char *what, mho_errinfo *ei) {
  const char *path = w->path;
  int why = flush(w->f);
  if (fclose(w->f) && !why)
    why = errno;
  if (w->target && !err && !why && !give_name(w))
    why = errno;
  if (w->target && (err || why))
    unlink(w->temporary);

  forget(w);
  if (err || !why)
    return err;
  return mho_fail_at(ei, mho__io_error(why), path, 0, "%s: %s", what, strerror(why));
}
