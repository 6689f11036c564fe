; test error

graph g {
  %x = input : f32[6]
  %y = view %x { map = "[3] of 6: 3*i0" }
  return %y
}

; expect error
;   error: this map may leave the source
;    --> errors/view_leaves_source.rg:5:35
;     |
;   5 |   %y = view %x { map = "[3] of 6: 3*i0" }
;     |                                   ^^^^ expected elements 0 to 5
