; test roundtrip
; test eval
; test canonical

// A view as text: where each element of the result comes from.
graph view {
  %x = input : f32[6, 4]
  %y = view %x { map = "[2, 12] of 24: 4*i1/2 + 2*i0 + i1%2" }
  return %y
}

; expect roundtrip
;   graph view {
;     %x = input : f32[6, 4]
;     %y = view %x { map = "[2, 12] of 24: 4*i1/2 + 2*i0 + i1%2" } : f32[2, 12]
;     return %y
;   }

; expect eval
;   0 flops
;   %y : f32[2, 12] = -0.03125 0.15625 -0.46875 0.62500 0.07812 -0.59375 … norm 2.63831

; expect canonical
;   graph view {
;     %x = input : f32[6, 4]
;     %y = view %x { map = "[2, 12] of 24: 4*i1/2 + 2*i0 + i1%2" } : f32[2, 12]
;     return %y
;   }
