/* gnuplot.c - gnuplot as a child process: a script goes in, a picture comes out.
 *
 * Script and picture are files in memory, so that nothing can block on a full pipe or raise
 * SIGPIPE, and a path that the user gives never stands in a script.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/gnuplot.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/whole_file.h"

extern char **environ;

void mho__gnuplot_text(const char *text, char *out, size_t n) {
  snprintf(out, n, "%s", text);
  for (char *c = out; *c; c++)
    if (*c < ' ' || *c > '~' || strchr("'\"`\\{}$@", *c))
      *c = ' ';
}

mho_err mho__gnuplot_ending(const char *path, bool *svg, mho_errinfo *ei) {
  const char *dot = strrchr(path, '.');
  *svg = dot && !strcmp(dot, ".svg");
  if (*svg || (dot && !strcmp(dot, ".png")))
    return MHO_OK;
  return mho_fail_at(ei, MHO_EINVAL, path, 0, "a plot's name must end in .png or .svg");
}

/* ---------------------------------------------------------------- the process */

/* Start gnuplot with standard input and output on two files. Returns an errno, 0 for success. */
static int spawn(int in, int out, pid_t *pid) {
  char program[] = "gnuplot", defaults[] = "-d", from_stdin[] = "-";
  char *const argv[] = {program, defaults, from_stdin, NULL};
  posix_spawn_file_actions_t actions;
  int rc = posix_spawn_file_actions_init(&actions);
  if (rc)
    return rc;

  rc = posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
  if (!rc)
    rc = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  if (!rc) /* its warnings (an empty range it widened) are nothing to the user */
    rc = posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  if (!rc)
    rc = posix_spawnp(pid, program, &actions, NULL, argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  return rc;
}

/* Run gnuplot from one file into another, to its end. */
static mho_err run(int in, int out, mho_errinfo *ei) {
  pid_t pid = 0;
  int status = 0, rc = spawn(in, out, &pid);
  if (rc == ENOENT)
    return mho_fail(ei, MHO_EUNSUPPORTED, "gnuplot is not installed");
  if (rc)
    return mho_fail(ei, MHO_EIO, "gnuplot cannot be started: %s", strerror(rc));

  while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
    ;
  if (!WIFEXITED(status))
    return mho_fail(ei, MHO_EIO, "gnuplot failed (signal %d)", WTERMSIG(status));
  if (WEXITSTATUS(status))
    return mho_fail(ei, MHO_EIO, "gnuplot failed (exit code %d)", WEXITSTATUS(status));
  return MHO_OK;
}

/* ---------------------------------------------------------------- script and picture */

/* The script in the file, whose offset, which the child shares, is back at its start. */
static mho_err write_script(int fd, mho_gnuplot_script script, const void *user, mho_errinfo *ei) {
  int copy = dup(fd);
  FILE *f = copy < 0 ? NULL : fdopen(copy, "w");
  if (!f) {
    if (copy >= 0)
      close(copy);
    return mho_fail(ei, MHO_EIO, "no files in memory for gnuplot: %s", strerror(errno));
  }

  script(f, user);
  if (fclose(f))
    return mho_fail(ei, MHO_EIO, "no memory for gnuplot's script: %s", strerror(errno));

  lseek(fd, 0, SEEK_SET);
  return MHO_OK;
}

/* All of a file in memory, [length] and a 0 behind it. */
static mho_err read_picture(int fd, char **out, size_t *length, mho_errinfo *ei) {
  off_t size = lseek(fd, 0, SEEK_END);
  if (size <= 0)
    return mho_fail(ei, MHO_EIO, "gnuplot wrote no plot");

  char *picture = calloc(1, (size_t)size + 1);
  if (!picture)
    return mho_fail(ei, MHO_ENOMEM, "no memory for a plot");

  off_t at = 0;
  while (at < size) {
    ssize_t got = pread(fd, picture + at, (size_t)(size - at), at);
    if (got > 0) {
      at += got;
    } else if (got == 0 || errno != EINTR) {
      free(picture);
      return mho_fail(ei, MHO_EIO, "gnuplot's plot cannot be read: %s", strerror(errno));
    }
  }

  *out = picture;
  *length = (size_t)size;
  return MHO_OK;
}

mho_err mho__gnuplot(mho_gnuplot_script script, const void *user, char **out, size_t *length,
                     mho_errinfo *ei) {
  *out = NULL;
  int in = memfd_create("script", MFD_CLOEXEC);
  int picture = memfd_create("plot", MFD_CLOEXEC);

  mho_err err = MHO_OK;
  if (in < 0 || picture < 0)
    err = mho_fail(ei, MHO_EIO, "no files in memory for gnuplot: %s", strerror(errno));
  if (!err)
    err = write_script(in, script, user, ei);
  if (!err)
    err = run(in, picture, ei);
  if (!err)
    err = read_picture(picture, out, length, ei);

  if (in >= 0)
    close(in);
  if (picture >= 0)
    close(picture);
  return err;
}

mho_err mho__gnuplot_file(mho_gnuplot_script script, const void *user, const char *path,
                          mho_errinfo *ei) {
  char *picture;
  size_t length;
  mho_err err = mho__gnuplot(script, user, &picture, &length, ei);
  if (err)
    return err;

  mho_whole_file w;
  FILE *f = mho__whole_open(path, &w);
  if (!f) {
    free(picture);
    return mho_fail_at(ei, mho__io_error(errno), path, 0, "cannot write the plot: %s",
                       strerror(errno));
  }
  fwrite(picture, 1, length, f);
  free(picture);
  return mho__whole_end(&w, MHO_OK, "cannot write the plot", ei);
}

void mho__gnuplot_terminal(FILE *f, bool svg, int width, int height) {
  if (svg)
    fprintf(f,
            "set terminal svg size %d,%d font 'sans-serif,14' background rgb 'white' noenhanced\n",
            width, height);
  else
    fprintf(f, "set terminal pngcairo size %d,%d font 'sans-serif,13' noenhanced\n", 3 * width / 2,
            3 * height / 2);
}
