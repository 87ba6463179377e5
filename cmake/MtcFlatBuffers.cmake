# mtc_flatbuffers(TARGET schema.fbs): generates include/mtc/Bundle/<schema>_generated.h in the build tree.
find_program(FLATC flatc REQUIRED)
find_path(FLATBUFFERS_INCLUDE_DIR flatbuffers/flatbuffers.h REQUIRED)
function(mtc_flatbuffers target schema out_dir)
  get_filename_component(stem ${schema} NAME_WE)
  set(header ${out_dir}/${stem}_generated.h)
  add_custom_command(OUTPUT ${header}
    COMMAND ${FLATC} --cpp --scoped-enums --gen-object-api --cpp-std c++17 -o ${out_dir} ${schema}
    DEPENDS ${schema} VERBATIM)
  add_custom_target(${target} DEPENDS ${header})
endfunction()
