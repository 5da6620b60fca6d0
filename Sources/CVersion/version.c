#include "CVersion.h"

// `Package.swift` passes FCCLIP_COMMIT on. In an archive made by git (`git archive`, a tarball of a release), git itself fills the commit in
// below: see .gitattributes.
static const char archived[] = "$Format:%h$";

#define TEXT_OF(...) #__VA_ARGS__
#define TEXT(...) TEXT_OF(__VA_ARGS__)

const char *version_commit(void) {
#ifdef FCCLIP_COMMIT
  return TEXT(FCCLIP_COMMIT);
#else
  return archived[0] == '$' ? "" : archived;
#endif
}
