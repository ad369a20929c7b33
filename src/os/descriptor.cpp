#include "os/descriptor.h"

#include <unistd.h>

namespace kedge {

void Descriptor::close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
}

}  // namespace kedge
