; test error

graph sample_positions {
  %map = input : f32[1, 4, 4, 2]
  %rows = input : f32[1, 3]
  %columns = input : f32[1, 4]
  %y = grid_sample %map, %rows, %columns { align = corners }
  return %y
}

; expect error
;   error: positions of grid_sample are f32[1, 3] and f32[1, 4]
;    --> errors/sample_positions.rg:7:8
;     |
;   7 |   %y = grid_sample %map, %rows, %columns { align = corners }
;     |        ^^^^^^^^^^^^----^^-----^^--------^^^^^^^^^^^^^^^^^^^^
;     |        |           |     |      |
;     |        |           |     |      this is f32[1, 4]
;     |        |           |     this is f32[1, 3]
;     |        |           this is f32[1, 4, 4, 2]
;     |        expected both [1, …]
