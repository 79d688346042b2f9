# bin/srq, its man page and completion, the libraries with their headers, srq.pc, a CMake package, the Python module, and the
# experiments as they are.
include(CMakePackageConfigHelpers)

install(TARGETS srq RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
if(NOT SRQ_SANITIZE)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/experiments/srq/srq.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/experiments/srq/srq.bash RENAME srq
          DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
endif()
install(TARGETS srq_core srq_dist srq_io ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY core dist io DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/srq FILES_MATCHING PATTERN "*.h")
install(DIRECTORY experiments/ DESTINATION ${CMAKE_INSTALL_DATADIR}/srq/experiments
        FILES_MATCHING PATTERN "*.cfg" PATTERN "*.sh" PATTERN srq EXCLUDE PATTERN results EXCLUDE)
install(PROGRAMS slurm/train.sbatch slurm/sweep.sbatch slurm/table.sbatch slurm/ticket.sbatch DESTINATION ${CMAKE_INSTALL_DATADIR}/srq/slurm)
install(FILES io/srq.py DESTINATION ${CMAKE_INSTALL_DATADIR}/srq/python)
install(FILES tests/onnx/run.js DESTINATION ${CMAKE_INSTALL_DATADIR}/srq/onnx)
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES README.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

file(RELATIVE_PATH up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
set(SRQ_ONEDNN_LIBS "")
if(SRQ_HAVE_ONEDNN)
  list(TRANSFORM OpenMP_C_LIB_NAMES PREPEND "-l" OUTPUT_VARIABLE SRQ_ONEDNN_LIBS)
  list(PREPEND SRQ_ONEDNN_LIBS -ldnnl)
  list(JOIN SRQ_ONEDNN_LIBS " " SRQ_ONEDNN_LIBS)
endif()
set(SRQ_PROTOBUF_C "")
if(SRQ_HAVE_PROTOBUF_C)
  set(SRQ_PROTOBUF_C " libprotobuf-c")
endif()
set(SRQ_PC_PREFIX "\${pcfiledir}/${up}")
configure_file(cmake/srq.pc.in srq.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/srq.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
configure_package_config_file(cmake/srqConfig.cmake.in srqConfig.cmake
                              INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/srq
                              PATH_VARS CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_INCLUDEDIR)
write_basic_package_version_file(srqConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/srqConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/srqConfigVersion.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/srq)
