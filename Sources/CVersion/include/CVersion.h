// The commit that the program is built from, as `git describe` names it; empty when the build does not know it.
#pragma once

const char *version_commit(void);
