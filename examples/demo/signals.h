#pragma once

namespace demo {

// From now on SIGINT and SIGTERM are noted rather than fatal, so that the demo can clean up.
void note_signals();
bool interrupted();

}  // namespace demo
