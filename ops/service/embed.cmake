# cmake -DOUT=FILE.cpp -DHEADER=H -DFUNCTION=F -DTYPE=T -DFILES=A|B -P embed.cmake
# Writes `std::span<const T> F()` over one {name, content} for every file; the
# name is the file's without its extension.
string(REPLACE "|" ";" FILES "${FILES}")
set(body "")
foreach(file IN LISTS FILES)
  get_filename_component(name "${file}" NAME_WE)
  file(READ "${file}" content)
  string(APPEND body "    {\"${name}\", R\"EMBEDDED(${content})EMBEDDED\"},\n")
endforeach()
file(WRITE "${OUT}" "\
#include \"${HEADER}\"

namespace swavd::service {
namespace {

constexpr ${TYPE} kEmbedded[] = {
${body}};

}  // namespace

std::span<const ${TYPE}> ${FUNCTION}() {
  return kEmbedded;
}

}  // namespace swavd::service
")
