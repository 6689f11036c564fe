; test error

graph g {
  %x = input : f32[4, 6]
  %y = reduce %x { op = sum, axis = 2 }
  return %y
}

; expect error
;   error: axis 2 does not exist in f32[4, 6], which has 2 axes
;    --> errors/axis_out_of_range.rg:5:8
;     |
;   5 |   %y = reduce %x { op = sum, axis = 2 }
;     |        ^^^^^^^--^^^^^^^^^^^^^^^^^^^^^^^
;     |               |
;     |               this is f32[4, 6]
