# Seeds that have found something, and what it was. They run again for ever, each a test of its own; a
# change of what seeds draw may take the meeting of faults away that it took, so a test without a
# seed is better where there can be one. With a sanitizer, which is ten times as slow, only those run
# that found something for it.
function(dynamo_past_seed seed minutes found)
  if(DYNAMO_SANITIZE AND NOT "${ARGN}" STREQUAL "memory")
    return()
  endif()
  set(name "sim.past_seed ${seed}: ${found}")
  add_test(NAME "${name}" COMMAND dynamo_sim_seeds --seed ${seed} --minutes ${minutes})
  set_tests_properties("${name}" PROPERTIES LABELS sim TIMEOUT 600)
endfunction()

dynamo_past_seed(42 2 "an owner whose disk was full when a view came never stored that view")
dynamo_past_seed(214 2 "a node with a lost disk waited for a partition that it owned no more")
dynamo_past_seed(200415 3 "a put was reported as not applied that a slow owner had taken before")
dynamo_past_seed(701559 10 "a restored copy that knew nobody was not told who is there")
dynamo_past_seed(702025 10
  "a disk that was lost again took the place of the one that had replaced it")
dynamo_past_seed(710834 10
  "the harness brought a backup back of a directory that had been replaced meanwhile")
dynamo_past_seed(751967 10 "the harness wanted three disks of a cluster that had two owners left")
dynamo_past_seed(790844 10
  "a node settled before its disk knew of the generation, and kept older hints")
dynamo_past_seed(830000 10
  "the harness wanted what a member had taken alone that did not know of its removal")
dynamo_past_seed(883002 3
  "with several loops an answer lay in a packet that was there no more" memory)
dynamo_past_seed(883367 5
  "the puts of one of a node's loops were taken for such as had come before")
