/* path.c - a database's file and folder: whether they can be used, and how SQLite is told of them.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "store/store_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The folder of a path; free with mho_free. */
static char *folder_of(const char *path) {
  const char *slash = strrchr(path, '/');
  size_t n = slash ? (size_t)(slash - path) : 0;
  char *folder = mho_alloc(n + 2, 1);
  if (!folder)
    return NULL;

  if (n)
    memcpy(folder, path, n);
  else
    strcpy(folder, slash ? "/" : ".");
  return folder;
}

static mho_err make_folder(char *folder, const char *path, mho_errinfo *ei) {
  for (char *c = folder + 1;; c++) {
    char here = *c;
    if (here && here != '/')
      continue;

    *c = 0;
    if (mkdir(folder, 0777) && errno != EEXIST && errno != EISDIR) {
      struct stat st; /* "/" and the like may answer EROFS or EACCES although they are there */
      int why = errno;
      if (stat(folder, &st) || !S_ISDIR(st.st_mode))
        return mho_fail(
            ei, MHO_ESTORE,
            "cannot make the folder '%s' for the run database '%s' (%s): make it yourself or name "
            "another place",
            folder, path, strerror(why));
    }
    *c = here;
    if (!here)
      return MHO_OK;
  }
}

static mho_err check_missing(const char *path, mho_store_mode mode, int why, char *folder,
                             mho_errinfo *ei) {
  if (why != ENOENT && why != ENOTDIR)
    return mho_fail(ei, MHO_ESTORE, "cannot look at the run database '%s' (%s): check the path",
                    path, strerror(why));

  if (mode == MHO_STORE_READ)
    return mho_fail(
        ei, MHO_ESTORE,
        "there is no run database '%s': train a first run into it, or name another file", path);
  return make_folder(folder, path, ei);
}

static mho_err check(const char *path, mho_store_mode mode, char *folder, bool *exists,
                     bool *writable, mho_errinfo *ei) {
  struct stat st;
  *exists = !stat(path, &st);
  if (*exists && S_ISDIR(st.st_mode))
    return mho_fail(ei, MHO_ESTORE, "'%s' is a folder, not a run database: name a file in it",
                    path);
  if (*exists && !S_ISREG(st.st_mode))
    return mho_fail(ei, MHO_ESTORE, "'%s' is not a regular file: a run database needs one", path);

  if (!*exists) {
    mho_err err = check_missing(path, mode, errno, folder, ei);
    if (err)
      return err;
  }

  if (*exists && access(path, R_OK))
    return mho_fail(ei, MHO_ESTORE,
                    "cannot read '%s' (%s): ask its owner for permission, or work on a copy", path,
                    strerror(errno));

  int file_why = *exists && access(path, W_OK) ? errno : 0;
  int folder_why = access(folder, W_OK | X_OK) ? errno : 0;
  *writable = !file_why && !folder_why;
  if (mode == MHO_STORE_READ || *writable)
    return MHO_OK;

  if (file_why)
    return mho_fail(
        ei, MHO_ESTORE,
        "the run database '%s' is read-only (%s): make it writable (chmod u+w), or work on a copy",
        path, strerror(file_why));
  return mho_fail(
      ei, MHO_ESTORE,
      "cannot write in the folder '%s' (%s), where '%s' and its -wal and -shm files have to be: "
      "make it writable or name another place",
      folder, strerror(folder_why), path);
}

mho_err mho__store_path_check(const char *path, mho_store_mode mode, char **file, bool *exists,
                              bool *writable, mho_errinfo *ei) {
  *exists = *writable = false;
  *file = NULL;
  if (!path || !*path)
    return mho_fail(ei, MHO_EINVAL, "the run database has an empty name");

  /* SQLite puts the log beside the file that a link leads to, so that is the folder to look at */
  char *real = realpath(path, NULL);
  *file = mho_alloc(strlen(real ? real : path) + 1, 1);
  char *folder = folder_of(real ? real : path);
  mho_err err = MHO_OK;

  if (*file && folder) {
    strcpy(*file, real ? real : path);
    err = check(path, mode, folder, exists, writable, ei);
  } else
    err = mho_fail(ei, MHO_ENOMEM, "no memory to open '%s'", path);

  if (err) {
    mho_free(*file);
    *file = NULL;
  }

  mho_free(folder);
  free(real);
  return err;
}

int64_t mho__store_path_size(const char *path, const char *suffix) {
  struct stat st;
  char *name = mho_alloc(strlen(path) + strlen(suffix) + 1, 1);
  int64_t size = -1;

  if (name) {
    sprintf(name, "%s%s", path, suffix);
    if (!stat(name, &st))
      size = st.st_size;
  }

  mho_free(name);
  return size;
}

char *mho__store_path_uri(const char *path, const char *options) {
  static const char hex[] = "0123456789abcdef";
  char *uri = mho_alloc(3 * strlen(path) + strlen(options) + 16, 1);
  if (!uri)
    return NULL;

  /* an absolute path needs the empty authority: "//x" alone would make x one */
  char *to = uri + sprintf(uri, "file:%s", *path == '/' ? "//" : "");
  for (const char *c = path; *c; c++)
    if (*c == '%' || *c == '?' || *c == '#') {
      *to++ = '%';
      *to++ = hex[(unsigned char)*c >> 4];
      *to++ = hex[*c & 15];
    } else
      *to++ = *c;

  strcpy(to, options);
  return uri;
}
