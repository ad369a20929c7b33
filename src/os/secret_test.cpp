#include "os/secret.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "os/files.h"

namespace kedge {
namespace {

TEST(Secret, IsReadFromTheEnvironmentOrAFile) {
    setenv("KEDGE_TEST_SECRET", "from the environment", 1);
    EXPECT_EQ(read_secret("env:KEDGE_TEST_SECRET").value(), "from the environment");
    const std::string path = testing::TempDir() + "kedge-secret";
    ASSERT_TRUE(write_file_atomically(path, "from a file\n"));
    EXPECT_EQ(read_secret("file:" + path).value(), "from a file");
    ASSERT_TRUE(write_file_atomically(path, "\n"));
    EXPECT_EQ(read_secret("file:" + path).error().fault, Fault::refused);
}

TEST(Secret, IsNeverTheReferenceItself) {
    EXPECT_EQ(read_secret("hunter2").error().fault, Fault::invalid_input);
    EXPECT_EQ(read_secret("file:").error().fault, Fault::invalid_input);
    EXPECT_EQ(read_secret("env:KEDGE_TEST_ABSENT").error().fault, Fault::not_found);
    EXPECT_EQ(read_secret("file:/nowhere/at/all").error().fault, Fault::not_found);
}

TEST(Secret, IsTakenOutOfWhatAnotherSideSaid) {
    EXPECT_EQ(without_secret("POST /T1/x and /T1/x", "/T1/x"), "POST *** and ***");
    EXPECT_EQ(without_secret("***", "*"), "*********");
    EXPECT_EQ(without_secret("nothing", ""), "nothing");
}

}  // namespace
}  // namespace kedge
