; test eval
; test canonical
; test check

// A grid: each token sees those at a distance, the other digit of the same cut.
graph dilated {
  %x = input : f32[1, 4, 6, 8]
  %r = reshape %x { shape = [1, 2, 2, 3, 2, 8] }
  %t = transpose %r { order = [-4, -2, -5, -3, -1] }
  %w = reshape %t { shape = [4, 6, 8] }
  %y = attention %w, %w, %w { scale = 0.353553 }
  return %y
}

; expect eval
;   5472 flops
;   %y : f32[4, 6, 8] = -0.03538 -0.07249 0.48382 -0.18689 -0.04055 0.14442 … norm 4.22681

; expect canonical
;   graph dilated {
;     %x = input : f32[1, 4, 6, 8]
;     %w = view %x { map = "[4, 6, 8] of 192: 96*i1/3 + 48*i0/2 + 16*i1%3 + 8*i0%2 + i2" } : f32[4, 6, 8]
;     %2 = scores %w, %w : f32[4, 6, 6]
;     %3 = const { value = 0.353553 } : f32[4, 6, 6]
;     %4 = mul %2, %3 : f32[4, 6, 6]
;     %y = attend %4, %w { axis = -1 } : f32[4, 6, 8]
;     return %y
;   }

; expect check
;   %y within 1e-5 of the reference
